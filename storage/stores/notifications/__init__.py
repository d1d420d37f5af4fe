"""The inbox, and what is delivered outside the page: mails and pushes."""
