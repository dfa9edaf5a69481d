"""How companies and their people come into being: founding, registration, verification of addresses."""
