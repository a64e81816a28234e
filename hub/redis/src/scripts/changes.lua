-- Lists the changes of a tracked channel that nobody forgot, once the members of dead nodes are taken out.
-- KEYS: members, changes. ARGV: (fence), publish command, live channel, how many.
prune(KEYS[1], KEYS[2], ARGV[2], ARGV[3])
local listed = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', ARGV[4])) do
  local fields = entry[2]
  listed[#listed + 1] = {entry[1], fields[2], tonumber(fields[4]), fields[6]}
end
return listed
