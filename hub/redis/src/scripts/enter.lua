-- Makes a connection a member of a channel. Says how many changes were given up for that.
-- KEYS: members, changes. ARGV: (fence), node, lease, connection, member, publish command, live channel, tracked or ''.
-- Fields: `n<node>` its lease's end, `m<connection>` as `<node> <order of joining> <member>`, `#` the last order,
-- `c` the number of members, `d` no later than the end of any lease.
local members, node, lease, field, member = KEYS[1], ARGV[2], tonumber(ARGV[3]), 'm' .. ARGV[4], ARGV[5]
local order = redis.call('HINCRBY', members, '#', 1)
renew(members, node, lease)
local lost, tracked = 0, ARGV[8] ~= '' or redis.call('EXISTS', KEYS[2]) == 1
if redis.call('HSET', members, field, node .. ' ' .. whole(order) .. ' ' .. member) == 1 then
  local count = redis.call('HINCRBY', members, 'c', 1)
  if tracked then
    lost = note(KEYS[2], 'J', count, member)
  end
end
-- Twice the lease: until then a node that follows the channel finds the members of a dead node, and tells of them.
redis.call('PEXPIRE', members, tracked and TRACKED or lease * 2)
redis.call(ARGV[6], ARGV[7], 'J' .. member)
return lost
