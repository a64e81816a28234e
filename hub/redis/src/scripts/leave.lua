-- Ends a membership. Says how many changes were given up for that.
-- KEYS: members, changes. ARGV: (fence), connection, publish command, live channel.
local members, field = KEYS[1], 'm' .. ARGV[2]
local held = redis.call('HGET', members, field)
if not held then
  return 0
end
redis.call('HDEL', members, field)
-- Without members, only leases and the order are left.
local member, count = string.match(held, '^%x+ %d+ (.*)$'), redis.call('HINCRBY', members, 'c', -1)
if count <= 0 then
  redis.call('DEL', members)
end
local lost = 0
if redis.call('EXISTS', KEYS[2]) == 1 then
  lost = note(KEYS[2], 'L', count, member)
end
redis.call(ARGV[3], ARGV[4], 'L' .. member)
return lost
