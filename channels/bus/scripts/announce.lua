-- Publish one body to every process that holds one of these people, each message naming its recipients.
-- KEYS[1] registry hash; ARGV[1] channel prefix; ARGV[2] body; ARGV[3..] fields (user ids, 8 bytes each).
-- A process that nobody listens for is dead: it is taken out of these people's values.
-- Returns how many people are online.
local SIZE, BATCH = 8, 4000
local recipients, order, online = {}, {}, 0

for first = 3, #ARGV, BATCH do
  local fields = {}
  for i = first, math.min(first + BATCH - 1, #ARGV) do
    fields[#fields + 1] = ARGV[i]
  end
  local values = redis.call('HMGET', KEYS[1], unpack(fields))
  for i, value in ipairs(values) do
    if value then
      online = online + 1
      for start = 1, #value, SIZE do
        local process = string.sub(value, start, start + SIZE - 1)
        local list = recipients[process]
        if not list then
          list = {}
          recipients[process] = list
          order[#order + 1] = process
        end
        list[#list + 1] = fields[i]
      end
    end
  end
end

for _, process in ipairs(order) do
  local list = recipients[process]
  local head = struct.pack('>BI8I4', 1, 0, #list)
  if publish(ARGV[1] .. process, head .. table.concat(list) .. ARGV[2]) == 0 then
    for _, field in ipairs(list) do
      local value, rest = redis.call('HGET', KEYS[1], field) or '', {}
      for start = 1, #value, SIZE do
        local other = string.sub(value, start, start + SIZE - 1)
        if other ~= process then
          rest[#rest + 1] = other
        end
      end
      if #rest == 0 then
        redis.call('HDEL', KEYS[1], field)
      else
        redis.call('HSET', KEYS[1], field, table.concat(rest))
      end
    end
  end
end

return online
