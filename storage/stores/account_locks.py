"""Locks that exclude the deletion of an account while a row by or about its user is inserted.

`users.remove` locks the account's row FOR UPDATE before it deletes anything. Every insert first locks it FOR KEY SHARE,
on the condition that the account is not deleted. So the deletion waits for the insert and then deletes its row too, or
the insert waits for the deletion and inserts nothing. A foreign key takes the same lock, but after the insert and
without the condition.

FOR KEY SHARE does not conflict with changes of the account's counters: users that are followed and liked at the same
moment do not wait for each other. Accounts are locked before photos (`storage.stores.photos`).
"""

from __future__ import annotations

# The row of the account $1, or none once it is deleted, for the FROM of a query. A query that locks a photo too locks
# the account first, because PostgreSQL joins a row before it locks it.
VIEWER = "(SELECT id FROM users WHERE id = $1 AND deleted_at IS NULL FOR KEY SHARE) AS viewer"

# The same where the account's name and picture are copied: this lock also excludes a change of these.
VIEWER_AND_NAME = "(SELECT id FROM users WHERE id = $1 AND deleted_at IS NULL FOR SHARE) AS viewer"
