-- Renews a node's lease in the registry, with what it says of itself, and takes out those whose lease ran out.
-- KEYS: nodes. ARGV: (fence), node, lease, record, version that the node knows or '', publish command, live channel.
-- Fields: `<node>` its lease's end and its record, `#` the version, which changes with the set and with any record.
-- Answers whether the node was unknown, the version, and, if it is another than the known one, `node, record` pairs.
local nodes, node, record = KEYS[1], ARGV[2], ARGV[4]
local now, all, changed = clock(), redis.call('HGETALL', nodes), false
local version, mine, listed = '', nil, { node, record }
for i = 1, #all, 2 do
  local name, value = all[i], all[i + 1]
  if name == '#' then
    version = value
  else
    local till, says = string.match(value, '^(%d+) (.*)$')
    if name == node then
      mine = says
    elseif not till or tonumber(till) <= now then
      redis.call('HDEL', nodes, name)
      changed = true
    else
      listed[#listed + 1] = name
      listed[#listed + 1] = says
    end
  end
end
redis.call('HSET', nodes, node, whole(now + tonumber(ARGV[3])) .. ' ' .. record)
if changed or mine ~= record then
  local time = redis.call('TIME')
  version = time[1] .. '.' .. time[2]
  redis.call('HSET', nodes, '#', version)
  redis.call(ARGV[6], ARGV[7], 'N')
end
redis.call('PEXPIRE', nodes, tonumber(ARGV[3]) * 2)
return {mine and 0 or 1, version, version ~= ARGV[5] and listed or {}}
