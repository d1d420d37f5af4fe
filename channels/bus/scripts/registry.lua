-- Note which of these people are connected to a process, and which are no longer.
-- KEYS[1] registry hash; ARGV[1] process id; ARGV[2] one '+' or '-' for each person; ARGV[3..] their fields.
-- Returns the positions (from 1) of those whose '+' was news.
local process, flags = ARGV[1], ARGV[2]
local size, added = #process, {}

for i = 1, #flags do
  local field = ARGV[i + 2]
  local value = redis.call('HGET', KEYS[1], field) or ''
  local at = nil
  for start = 1, #value, size do
    if string.sub(value, start, start + size - 1) == process then
      at = start
      break
    end
  end
  if string.byte(flags, i) == 43 then
    if not at then
      redis.call('HSET', KEYS[1], field, value .. process)
      added[#added + 1] = i
    end
  elseif at then
    local rest = string.sub(value, 1, at - 1) .. string.sub(value, at + size)
    if rest == '' then
      redis.call('HDEL', KEYS[1], field)
    else
      redis.call('HSET', KEYS[1], field, rest)
    end
  end
end

return added
