-- Fragment that defines deliver(). It needs publish() from publish.lua or spublish.lua.
--
-- deliver(registry, prefix, users, offset, body) publishes one body to every process that holds a connection of one
-- of the users. Storage includes this text in its own script, so that a log and the message about it change in one
-- atomic step; nothing here may therefore depend on KEYS or ARGV.
--
--   registry  key of the group's registry hash: user id (8 bytes) -> concatenated process ids
--   prefix    prefix of the processes' channels
--   users     table of user ids, 8 bytes each
--   offset    stream offset for the envelope; 0 if the message belongs to no stream
--
-- Returns the number of users online and the number of messages published.

local function deliver(registry, prefix, users, offset, body)
  if #users == 0 or redis.call('EXISTS', registry) == 0 then return 0, 0 end
  local PROCESS_ID = 8 -- bytes
  local BATCH = 4000 -- unpack() is limited by the size of the Lua stack, about 8,000 values

  -- Messages are addressed to processes and not to users: one message for each process, in the order of discovery,
  -- so that equal input gives equal output.
  local online, recipients, order = 0, {}, {}
  for first = 1, #users, BATCH do
    local last = math.min(first + BATCH - 1, #users)
    local values = redis.call('HMGET', registry, unpack(users, first, last))
    for index = first, last do
      local value = values[index - first + 1]
      if value then
        online = online + 1
        for at = 1, #value, PROCESS_ID do
          local process = string.sub(value, at, at + PROCESS_ID - 1)
          local list = recipients[process]
          if not list then
            list = {}
            recipients[process] = list
            order[#order + 1] = process
          end
          list[#list + 1] = users[index]
        end
      end
    end
  end

  -- A process without subscribers is dead. Its id is removed from these users; otherwise they would count as online
  -- until remove_processes.lua runs.
  local function remove(process, list)
    for _, user in ipairs(list) do
      local value, others = redis.call('HGET', registry, user) or '', {}
      for at = 1, #value, PROCESS_ID do
        local other = string.sub(value, at, at + PROCESS_ID - 1)
        if other ~= process then others[#others + 1] = other end
      end
      if #others > 0 then
        redis.call('HSET', registry, user, table.concat(others))
      else
        redis.call('HDEL', registry, user)
      end
    end
  end

  for _, process in ipairs(order) do
    local list = recipients[process]
    -- The envelope of channels/bus/envelope.py: version 1, offset, number of recipients, recipients, body.
    local message = struct.pack('>BI8I4', 1, offset, #list) .. table.concat(list) .. body
    if publish(prefix .. process, message) == 0 then remove(process, list) end
  end
  return online, #order
end
