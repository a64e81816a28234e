-- Keeps a revocation until its time is over.
-- KEYS: ends, orders, mark. ARGV: fence, epoch if one begins, revocation, its end, most of them, publish command,
-- live channel.
-- Ends: a sorted set of revocations by the end of their time. Orders: the same ones by the order of their coming.
-- Mark: a hash of the `epoch` of that order, its last number, `count`, and the `fence` of the history of Redis in which
-- it was written. In another history numbers may be given a second time, so that it begins a new epoch.
local ends, orders, mark = KEYS[1], KEYS[2], KEYS[3]
local revocation, till = ARGV[3], ARGV[4]
for _, over in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', whole(clock()), 'LIMIT', 0, 100)) do
  redis.call('ZREM', ends, over)
  redis.call('ZREM', orders, over)
end
local known = redis.call('ZSCORE', ends, revocation)
if known and tonumber(known) >= tonumber(till) then
  touch(mark)
  return 1
end
if not known and redis.call('ZCARD', ends) >= tonumber(ARGV[5]) then
  return 0
end
if redis.call('HGET', mark, 'fence') ~= ARGV[1] then
  redis.call('HSET', mark, 'epoch', ARGV[2], 'fence', ARGV[1])
end
redis.call('ZADD', ends, till, revocation)
redis.call('ZADD', orders, redis.call('HINCRBY', mark, 'count', 1), revocation)
local last = redis.call('ZREVRANGE', ends, 0, 0, 'WITHSCORES')[2]
for _, key in ipairs(KEYS) do
  redis.call('PEXPIREAT', key, whole(tonumber(last)))
end
redis.call(ARGV[6], ARGV[7], 'R')
return 1
