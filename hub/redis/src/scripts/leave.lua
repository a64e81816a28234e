-- Ends a membership.
-- KEYS: members. ARGV: (fence), connection, publish command, live channel.
local members, field = KEYS[1], 'm' .. ARGV[2]
local held = redis.call('HGET', members, field)
if not held then
  return 0
end
redis.call('HDEL', members, field)
-- Without members, only leases and the order are left.
if redis.call('HINCRBY', members, 'c', -1) <= 0 then
  redis.call('DEL', members)
end
redis.call(ARGV[3], ARGV[4], 'L' .. string.match(held, '^%x+ %d+ (.*)$'))
return 1
