-- The nodes on which a user has connections.
-- KEYS: nodes of the user.
local now, all, listed = clock(), redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  if tonumber(all[i + 1]) > now then
    listed[#listed + 1] = all[i]
  end
end
return listed
