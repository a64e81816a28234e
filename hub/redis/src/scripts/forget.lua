-- Forgets the changes of a tracked channel up to one of them.
-- KEYS: changes. ARGV: (fence), the last.
local millis, number = string.match(ARGV[2], '^(%d+)%-(%d+)$')
if millis then
  redis.call('XTRIM', KEYS[1], 'MINID', millis .. '-' .. whole(number + 1))
end
return 1
