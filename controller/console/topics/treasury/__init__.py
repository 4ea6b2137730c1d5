"""What the treasury's pages say: contracts, payments, signing boxes."""

from controller.console.feed import Topic
from controller.console.topics.treasury.box import topics as of_boxes
from controller.console.topics.treasury.contract import topics as of_contracts
from controller.console.topics.treasury.forward import topics as of_forwards
from controller.console.topics.treasury.overview import topics as of_all
from controller.console.topics.treasury.patience import PatientDesk
from controller.console.topics.treasury.payment import topics as of_payments
from controller.console.topics.treasury.proofs import topics as of_proofs
from controller.views.ports import ForwardDesk, TreasuryDesk
from shared.clock import Clock


def topics(desk: TreasuryDesk, clock: Clock, forwards: ForwardDesk | None = None) -> tuple[Topic, ...]:
    patient = PatientDesk(desk, clock)
    told = () if forwards is None else of_forwards(forwards, patient)
    return (
        told + of_all(patient) + of_contracts(patient) + of_payments(patient) + of_boxes(patient) + of_proofs(patient)
    )
