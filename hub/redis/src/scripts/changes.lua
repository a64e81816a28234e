-- Lists the changes of a tracked channel that nobody forgot, once the members of dead nodes are taken out, and says
-- whether there are more, and how many were given up just now.
-- KEYS: members, changes. ARGV: (fence), publish command, live channel, how many.
local lost = prune(KEYS[1], KEYS[2], ARGV[2], ARGV[3])
local listed = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', ARGV[4])) do
  local fields = entry[2]
  -- What is not the hub's may have less of it, but is listed: it stands in the way otherwise.
  listed[#listed + 1] = {entry[1], fields[2] or '', tonumber(fields[4]) or 0, fields[6] or ''}
end
return {listed, redis.call('XLEN', KEYS[2]) > #listed and 1 or 0, lost}
