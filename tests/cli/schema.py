# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds policy files against the schema, a line each: "valid" or "invalid", and the file."""

import json
import sys

import jsonschema
import yaml

with open(sys.argv[1]) as f:
    schema = json.load(f)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for path in sys.argv[2:]:
    with open(path) as f:
        print("valid" if validator.is_valid(yaml.safe_load(f)) else "invalid", path)
