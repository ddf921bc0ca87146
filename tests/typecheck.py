"""The run-time type checker of the tests: as the type system has it, an int may stand where a float is wanted."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
