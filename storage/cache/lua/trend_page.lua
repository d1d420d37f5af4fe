-- Read a part of a list of the trending photos; the list is made when it is first read, and does not change any more.
--
-- KEYS: the ranking (sorted set), the list. ARGV: offset and number of photos, time to live of the list in s, how many
-- photos it has at most, and the distance of two photos of an author.
-- A member and an entry are 16 bytes: photo, author. Returns entries.

local size = 16
local offset, count = tonumber(ARGV[1]), tonumber(ARGV[2])
local length, distance = tonumber(ARGV[4]), tonumber(ARGV[5])

-- A photo whose author is too close above waits for its place. Only one can be due at each place: a photo of the author
-- who was placed `distance` above. What waits is ranked higher than what was not read yet, so it goes first.
local function spaced(members)
  local placed, places, waiting, next = {}, {}, {}, 1
  while #placed < length do
    local place = #placed + 1
    local member
    local due = place > distance and waiting[string.sub(placed[place - distance], 9)]
    if due and #due > 0 then member = table.remove(due, 1) end
    while not member and members[next] do
      local author = string.sub(members[next], 9)
      if places[author] and place - places[author] < distance then
        waiting[author] = waiting[author] or {}
        table.insert(waiting[author], members[next])
      else
        member = members[next]
      end
      next = next + 1
    end
    if not member then break end
    placed[place] = member
    places[string.sub(member, 9)] = place
  end
  return table.concat(placed)
end

if redis.call('EXISTS', KEYS[2]) == 0 then
  local list = spaced(redis.call('ZREVRANGE', KEYS[1], 0, 2 * length - 1))
  -- An empty list is not kept, so that what begins to trend is seen at once.
  if list == '' then return '' end
  redis.call('SET', KEYS[2], list, 'EX', ARGV[3])
end
return redis.call('GETRANGE', KEYS[2], size * offset, size * (offset + count) - 1)
