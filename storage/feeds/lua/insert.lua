-- Insert one id into many logs (or mark it removed, or publish it again) and publish the change to the owners who are
-- online. Both happen in one script: a worker killed between two steps would leave a gap that no client can detect.
--
-- The script needs deliver(key, destination, users, offset, body) -> users online, messages published. The live layer
-- provides it; its key, destination and body are opaque here.
--
-- KEYS: the key for deliver(), then the logs, all in one slot group.
-- ARGV: mode (insert, restore, remove, republish), id, window, destination, body, ids of the logs' owners (8 bytes
-- each), and the age in seconds up to which an edited log, or one that is being built, is left alone (0: never).
-- Returns: logs changed, users online, messages published, and the ids of users whose logs were edited recently.
-- Nothing was done for those: the caller may have read the list of followers before that edit.

local mode, id, window = ARGV[1], ARGV[2], tonumber(ARGV[3])
local destination, body, users, min_age = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])

-- First pass: choose one offset for all logs, greater than any offset in any of them, also of those that are older than
-- the group's clock, which may have been lost. One encoded frame then serves all recipients.
local heads, lowest = {}, 0
for index = 2, #KEYS do
  local head = redis.call('GETRANGE', KEYS[index], AT_HEADER, AT_BODY - 1)
  heads[index] = head
  if head ~= '' then lowest = math.max(lowest, (struct.unpack('>I8', head, 9)) + 1) end
end
local offset = next_offset(KEYS[2], lowest)
local e = new_entry(offset, id, mode == 'remove')
local tail = struct.pack('>I8', offset) .. id

-- Return position and bytes of the write that puts the entry into the next free staging slot: the entry, the free
-- slots after it, and the first part of the header. They depend on flags, edits, count and staged only, which many
-- logs have in common, so they are built once for each such state. Returns nil if there is no free slot.
local writes = {}
local function staging_write(state)
  local flags, edits, count, staged = struct.unpack('>I2I2I2I2', state)
  if staged == STAGED then return nil end
  local free = string.rep('\0', (STAGED - staged - 1) * ENTRY)
  local header = struct.pack('>I2I2I2I2', flags, edits, count + 1, staged + 1) .. tail
  writes[state] = { staged * ENTRY, e.bytes .. free .. header }
  return writes[state]
end

-- Second pass. In the usual case the id is greater than all others and a staging slot is free: one small write.
local changed, recipients, recently_edited = 0, {}, {}
-- Compared with the clock and not with `offset`, which is ahead of a clock that stepped back.
local now_s = math.floor(now_us() / 1000000)

-- Return whether the follow has to be verified, given the flags of a log and the time of its last edit.
local function is_recent(key, flags, edited)
  if min_age == 0 then return false end
  if edited > now_s then bound_edited(key, head(key), now_s) end
  return has(flags, BUILDING) or edited >= now_s - min_age
end

for index = 2, #KEYS do
  local key, beginning, publishable = KEYS[index], heads[index], true
  local user = string.sub(users, index * 8 - 15, index * 8 - 8)
  if beginning ~= '' then
    local flags, _, _, _, _, last_upper, last_lower, _, _, _, _, edited =
      struct.unpack('>I2I2I2I2I8I4I4I8I8I2I2I4', beginning)
    local newer = last_upper < e.upper or (last_upper == e.upper and last_lower < e.lower)
    local state = newer and string.sub(beginning, 1, 8)
    if is_recent(key, flags, edited) then
      publishable = false
      recently_edited[#recently_edited + 1] = user
    elseif state and (writes[state] or staging_write(state)) then
      redis.call('SETRANGE', key, writes[state][1], writes[state][2])
    else
      publishable = place(key, head(key), window, e, mode)
    end
    if publishable then changed = changed + 1 end
  end
  -- A user without a log still receives the message. There is nothing to recover from, which the client learns when
  -- it reconnects.
  if publishable then recipients[#recipients + 1] = user end
end

local online, messages = deliver(KEYS[1], destination, recipients, offset, body)
return { changed, online, messages, table.concat(recently_edited) }
