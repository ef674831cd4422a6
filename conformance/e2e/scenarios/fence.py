"""To come."""
def options(parser): pass
def run(report, chosen): pass
