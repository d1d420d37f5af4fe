-- Note which of these people are connected to a process, and which are no longer.
-- KEYS: registry hash, those who are said to be online, when others were last; ARGV: process id, one '+' or '-' for each
-- person, prefix of their presence topics' channels, head of a presence message, their fields.
-- Who was said to be away is announced as online in the same step. Who leaves stays online for the time being, with
-- the millisecond of leaving as score.
-- Returns the positions (from 1) of those whose '+' was news, and how many people were announced.
local process, flags, prefix, head = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local size, added, joined = #process, {}, 0
local now = redis.call('TIME')
local now_ms = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))

local function arrive(field)
  local score = redis.call('ZSCORE', KEYS[2], field)
  if score == '0' then return end
  redis.call('ZADD', KEYS[2], 0, field)
  if score then return end
  redis.call('ZREM', KEYS[3], field)
  local topic = prefix .. string.format('%08x%08x', struct.unpack('>I4I4', field))
  publish(topic, head .. field .. struct.pack('>I8', 0))
  joined = joined + 1
end

-- Also for people whose registration had been lost: they would be online for ever.
local function leave(field)
  if redis.call('ZSCORE', KEYS[2], field) == '0' then
    redis.call('ZADD', KEYS[2], now_ms, field)
  end
end

for i = 1, #flags do
  local field = ARGV[i + 4]
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
      arrive(field)
    end
  else
    local rest = at and string.sub(value, 1, at - 1) .. string.sub(value, at + size) or value
    if rest == '' then
      redis.call('HDEL', KEYS[1], field)
      leave(field)
    elseif at then
      redis.call('HSET', KEYS[1], field, rest)
    end
  end
end

return { added, joined }
