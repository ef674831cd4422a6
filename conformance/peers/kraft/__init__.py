"""Apache Kafka in KRaft mode on loopback ports, for tests. The command line is `conformance/peers/kafka`."""
