raise SystemExit("code of a model folder was run")
