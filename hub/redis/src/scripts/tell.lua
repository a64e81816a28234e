-- Sends a message to those who listen; answers how many they are.
-- KEYS: live channel, for its slot. ARGV: (fence), publish command, message.
return redis.call(ARGV[2], KEYS[1], ARGV[3])
