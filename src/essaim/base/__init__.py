"""What every area stands on: actions (the only writes), the audit trail, events, evidence links, ids, refusals."""
