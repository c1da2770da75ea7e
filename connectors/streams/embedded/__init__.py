"""The embedded stream: a durable partitioned log in this process, and its Faust transport."""
