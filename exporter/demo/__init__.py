"""The demonstration trial: a small multi-centre pelvic MR trial, made up in the ways real centres deliver theirs."""
