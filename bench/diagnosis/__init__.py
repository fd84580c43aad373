"""The faults and healthy twins that diagnosis_bench.py builds, and what they need."""
