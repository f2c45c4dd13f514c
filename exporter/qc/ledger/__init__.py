"""The ledger of issues: what checks found from cycle to cycle, what became of it, and what people have waived."""
