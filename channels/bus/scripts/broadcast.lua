-- Fragment that defines broadcast(). It needs publish() from publish.lua or spublish.lua, and is included by storage as
-- deliver.lua is.
--
-- broadcast(channel, star, offset, body) publishes one body to all live processes. Each delivers it to those of its
-- connected users who follow the star (8 bytes) and belong to the slot group of the channel.

local function broadcast(channel, star, offset, body)
  -- The envelope of channels/bus/envelope.py; in place of recipients it has the star.
  publish(channel, struct.pack('>BI8I4', 1, offset, 1) .. star .. body)
end
