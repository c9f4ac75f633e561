"""What the real engine stands on, found or started: Java, Kafka, Redis; private, on loopback, their data in one folder."""
