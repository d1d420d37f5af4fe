"""How an account signs in and stays signed in: passkeys, identities, second factors, sessions, and tokens of OAuth."""
