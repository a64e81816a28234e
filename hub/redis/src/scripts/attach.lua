-- Says whether a user has connections on a node.
-- KEYS: nodes of the user. ARGV: (fence), node, lease, 1 or 0. Fields: `<node>` its lease's end.
local nodes, node, lease = KEYS[1], ARGV[2], tonumber(ARGV[3])
if ARGV[4] == '1' then
  redis.call('HSET', nodes, node, whole(clock() + lease))
  redis.call('PEXPIRE', nodes, lease)
else
  redis.call('HDEL', nodes, node)
end
return 1
