"""Fact files as others write them, one file a format: `FIELDS` that it carries, `is_one`, `from_record` and `to_record`."""
