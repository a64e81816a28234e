// How Chromium is started: the one that `cargo xtask setup` installs, without a screen and without talking to anybody.

export const browserOptions = {
  executablePath: process.env.FANLINE_CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
  ],
};
