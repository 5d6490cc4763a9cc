"""The crowd of `essaim crowd`: many thousand paced participants out of one process, over raw sockets.

`target` says whom it may talk to, `engine` is the loop, `people` what is known of each participant, `ledger` compares
what was acknowledged with what the server holds, `watching` reads streams, `verdict` says it all in words.
"""
