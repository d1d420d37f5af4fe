"""The people of one tester process: their accounts, who follows whom, and the REST API that they use."""
