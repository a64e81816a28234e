// The names under which clients that ask for each one listen.

export const NAMES = ['message', 'fanline.open', 'fanline.cursor', 'fanline.gap', 'fanline.retry', 'fanline.close'];
