"""The whole suite on one machine: a simulated site, a broker, a real agent and a real controller, with a story.

`scene` writes what each process needs, `cast` starts and stops them, `client` asks the controller as a person's script
would, `truth` asks the simulators what really happened, `story` is what is told and checked.
"""
