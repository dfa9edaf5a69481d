"""What the example companies are like. Nothing here exists; the domains are reserved (RFC 2606)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """``outline`` has one unit per line, indented below its parent: ``name: position; position``.

    The first position of a unit is held by one person, the second by several.
    """

    name: str
    domain: str
    company_key: str
    description: str
    city: str
    outline: str

    @property
    def units(self) -> int:
        """With the root, which bears the company's name."""
        return 1 + self.outline.count("\n")

    @property
    def positions(self) -> int:
        """With the administrator's, in the root."""
        return self.units + self.outline.count(";")


ACME = Example(
    name="Acme Logistics",
    domain="acme.example",
    company_key="LOGISTIC-001",
    description="Freight by road, rail and sea, and the warehouses in between.",
    city="Brackwater",
    outline="""\
Management: Managing Director; Executive Assistant
  Legal and Compliance: General Counsel
  Internal Audit: Head of Internal Audit
Operations: Chief Operating Officer
  Road Freight: Head of Road Freight; Dispatcher
    Long Haul: Long Haul Manager; Long Haul Driver
    Regional Delivery: Delivery Manager; Delivery Driver
    Vehicle Workshop: Workshop Manager; Mechanic
  Rail and Intermodal: Head of Intermodal; Train Planner
  Sea Freight: Head of Sea Freight; Sea Freight Clerk
    Export Desk: Export Manager
    Import Desk: Import Manager
  Warehousing: Head of Warehousing
    Warehouse North: Manager of Warehouse North; Warehouse Operator
      Receiving North: Receiving Supervisor North
      Dispatch North: Dispatch Supervisor North
    Warehouse South: Manager of Warehouse South; Forklift Driver
      Receiving South: Receiving Supervisor South
      Dispatch South: Dispatch Supervisor South
  Customs: Head of Customs; Customs Agent
  Quality and Safety: Head of Quality; Safety Officer
Commercial: Chief Commercial Officer
  Key Accounts: Head of Key Accounts; Account Manager
  Sales: Head of Sales; Sales Representative
    Sales East: Sales Manager East
    Sales West: Sales Manager West
  Customer Service: Head of Customer Service; Service Agent
  Marketing: Head of Marketing
Finance: Chief Financial Officer
  Accounting: Head of Accounting; Accountant
  Controlling: Head of Controlling
  Procurement: Head of Procurement; Buyer
People: Chief People Officer
  Recruiting: Head of Recruiting
  Payroll: Head of Payroll; Payroll Clerk
  Training: Head of Training; Trainer
Technology: Chief Technology Officer
  Software: Head of Software; Software Engineer
  Infrastructure: Head of Infrastructure; System Administrator
""",
)

GLOBEX = Example(
    name="Globex Energy",
    domain="globex.example",
    company_key="ENERGY-001",
    description="Power from wind, sun and water, and the grid that carries it.",
    city="Eastmere",
    outline="""\
Management: Managing Director; Executive Assistant
  Legal and Regulation: General Counsel
  Communications: Head of Communications
Generation: Chief Generation Officer
  Wind: Head of Wind; Wind Analyst
    Offshore Wind: Offshore Manager; Offshore Technician
    Onshore Wind: Onshore Manager; Onshore Technician
  Solar: Head of Solar; Solar Technician
    Solar Park Alpha: Manager of Park Alpha
    Solar Park Beta: Manager of Park Beta
  Hydro: Head of Hydro; Hydro Operator
    Upper Reservoir: Keeper of the Upper Reservoir
    Lower Reservoir: Keeper of the Lower Reservoir
  Storage: Head of Storage; Battery Engineer
  Maintenance: Head of Maintenance; Maintenance Technician
Grid: Chief Grid Officer
  Control Centre: Head of Control Centre; Grid Operator
    Day Shift: Day Shift Leader
    Night Shift: Night Shift Leader
  Transmission: Head of Transmission; Line Engineer
    Substations North: Substation Manager North
    Substations South: Substation Manager South
  Metering: Head of Metering; Meter Installer
  Safety: Head of Safety; Safety Inspector
Trading: Chief Trading Officer
  Power Desk: Head of Power Desk; Trader
  Gas Desk: Head of Gas Desk
  Forecasting: Head of Forecasting; Forecaster
Customers: Chief Customer Officer
  Industrial Customers: Head of Industrial Customers; Key Account Manager
  Households: Head of Households
  Contact Centre: Head of Contact Centre; Contact Agent
  Billing: Head of Billing; Billing Clerk
Finance: Chief Financial Officer
  Accounting: Head of Accounting; Accountant
  Procurement: Head of Procurement
People: Chief People Officer; Recruiter
Technology: Chief Technology Officer
  Software: Head of Software; Software Engineer
""",
)

EXAMPLES = (ACME, GLOBEX)
