-- Takes a note: one caller gets it.
-- KEYS: note.
local value = redis.call('GET', KEYS[1])
if value then
  redis.call('DEL', KEYS[1])
end
return value
