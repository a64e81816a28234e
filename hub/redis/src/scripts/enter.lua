-- Makes a connection a member of a channel.
-- KEYS: members. ARGV: (fence), node, lease, connection, member, publish command, live channel.
-- Fields: `n<node>` its lease's end, `m<connection>` as `<node> <order of joining> <member>`, `#` the last order,
-- `c` the number of members.
local members, node, lease, field, member = KEYS[1], ARGV[2], tonumber(ARGV[3]), 'm' .. ARGV[4], ARGV[5]
local order = redis.call('HINCRBY', members, '#', 1)
redis.call('HSET', members, 'n' .. node, whole(clock() + lease))
if redis.call('HSET', members, field, node .. ' ' .. whole(order) .. ' ' .. member) == 1 then
  redis.call('HINCRBY', members, 'c', 1)
end
-- Twice the lease: until then a node that follows the channel finds the members of a dead node, and tells of them.
redis.call('PEXPIRE', members, lease * 2)
redis.call(ARGV[6], ARGV[7], 'J' .. member)
return 1
