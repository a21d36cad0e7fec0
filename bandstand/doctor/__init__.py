"""What `bandstand doctor` looks at: findings.py is what it says, machine.py and disk.py this machine before a server
starts on it, certificate.py the TLS files, server.py a server that runs, through whatever stands in between."""
