-- Lists the members of a channel whose node's lease holds, as `order, member` pairs.
-- KEYS: members.
local now, all, dead = clock(), redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == 'n' and tonumber(all[i + 1]) <= now then
    dead[string.sub(all[i], 2)] = true
  end
end
local listed = {}
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == 'm' then
    local node, order, member = string.match(all[i + 1], '^(%x+) (%d+) (.*)$')
    if node and not dead[node] then
      listed[#listed + 1] = order
      listed[#listed + 1] = member
    end
  end
end
return listed
