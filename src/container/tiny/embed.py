#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns a program into a C array: embed.py PROGRAM OUTPUT NAME."""
import sys

program, output, name = sys.argv[1:]
data = open(program, "rb").read()
with open(output, "w") as f:
    f.write(f'#include "container/embedded.h"\n\nconst unsigned char {name}[] = {{\n')
    for i in range(0, len(data), 16):
        f.write("\t" + ", ".join(str(b) for b in data[i:i + 16]) + ",\n")
    f.write(f"}};\nconst unsigned int {name}_size = sizeof({name});\n")
