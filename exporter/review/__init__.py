"""What a person does with the plan: ask why, decide otherwise in a spreadsheet, turn decisions into site rules."""
