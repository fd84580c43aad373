"""What a case is, the table of all cases, and the random draws that make each one different."""
import dataclasses
import string

# rule id -> [(function, versions or None)]
CASES = {}


@dataclasses.dataclass
class Case:
    """One half of a pair: the fault, or the same without it."""
    setup: list          # statements, each in a transaction of its own
    sql: str             # what is explained
    settings: dict = dataclasses.field(default_factory=dict)  # of the session that explains
    # How: "analyze" is pgtend explain --analyze; "piped" explains with psql in a transaction that is
    # rolled back and hands the plan over, "offline" does so without a server; "inside" hands it over while its session and transaction are there; "plan" is
    # pgtend explain alone; "log" runs the statements with auto_explain and hands the server's log over.
    how: str = "analyze"
    before: str = ""     # piped, offline: SQL of the same session, in front
    slow_reads: bool = False  # piped: the server's storage is slow meanwhile
    options: str = ""    # piped, offline: of EXPLAIN, beside ANALYZE, BUFFERS, VERBOSE, SETTINGS


def case(rule, versions=None):
    """Registers a function of (draw, sick) that returns the Case of the fault or of its twin. Both are called
    with the same draws, so they differ only in what `sick` decides."""
    def register(function):
        CASES.setdefault(rule, []).append((function, versions))
        return function
    return register


def quote(name):
    plain = name and name[0] in string.ascii_lowercase + "_" and all(
        c in string.ascii_lowercase + string.digits + "_" for c in name) and name not in ("order", "select", "user")
    return name if plain else '"' + name.replace('"', '""') + '"'


def literal(text):
    return "'" + text.replace("'", "''") + "'"


WORDS = ["orders", "meter", "reading", "acct", "t", "events", "stock", "item_list", "kunde", "ledger", "q7"]
ODD = ["Order Lines", "Größe", "select", "user", "a\"b", "it's", "100%", "x.y", "Tab  (cost=1.00..2.00 rows=3 width=4)",
       "->  Seq Scan", "UPPER", "naïve", "semi;colon", "$1", "InitPlan 1", "end)", "a\\b", "日本", "now()"]


class Draw:
    """Names, types and sizes of one case, all from one seeded generator."""

    def __init__(self, rng):
        self.rng = rng
        self.used = set()

    def name(self):
        """A quoted identifier, one in three of a kind that needs the quotes."""
        while True:
            name = self.rng.choice(ODD if self.rng.random() < 0.34 else WORDS)
            if name in self.used:
                name += str(self.rng.randrange(1000))
            if name not in self.used:
                self.used.add(name)
                return quote(name)

    def names(self, count):
        return [self.name() for _ in range(count)]

    def rows(self, low, high):
        """A number of rows, even over the magnitudes."""
        return int(low * (high / low) ** self.rng.random())

    def pick(self, *options):
        return self.rng.choice(options)

    def integer_type(self):
        return self.pick("int", "bigint", "numeric")

    def key_type(self):
        """(type, SQL that makes a value of it from an integer expression)."""
        return self.pick(("int", "({})::int"), ("bigint", "({})::bigint"), ("text", "'k' || ({})"),
                         ("varchar(40)", "'key-' || ({})"), ("date", "date '2000-01-01' + ({})::int"),
                         ("uuid", "md5(({})::text)::uuid"))

    def filler(self, low=20, high=120):
        """SQL of a text that makes rows wider."""
        return f"repeat('x', {self.rng.randint(low, high)})"


def table(name, columns, rows, order=""):
    """Statements that make and fill a table. `columns` maps quoted names to (type, SQL from i)."""
    listed = ", ".join(f"{column} {kind}" for column, (kind, _) in columns.items())
    made = ", ".join(f"({sql})::{kind}" for kind, sql in columns.values())
    return [f"CREATE TABLE {name} ({listed})",
            f"INSERT INTO {name} SELECT {made} FROM generate_series(1, {rows}) i {order}"]
