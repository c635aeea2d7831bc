"""How long things take here, and what larger trainings and more sessions would take: `heimdall benchmark`."""
