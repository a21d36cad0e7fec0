"""How alerts look on the wire: the actor hands over what it has, and gets whole frames back."""

from typing import Protocol

from actors.alerts.vocabulary import Alert


class NoVoice:
    """For a house without a wire."""

    def alert(self, alert: Alert) -> bytes:
        return f"alert {alert.id} {alert.rev}".encode()

    def over(self, alert: Alert) -> bytes:
        return f"over {alert.id} {alert.rev} {alert.state}".encode()

    def shown(self, alert: Alert) -> bytes:
        return self.alert(alert)


class AlertVoice(Protocol):
    def alert(self, alert: Alert) -> bytes:
        """A frame, ready for every outlet."""
        ...

    def over(self, alert: Alert) -> bytes:
        """The alert is over; its state says why."""
        ...

    def shown(self, alert: Alert) -> bytes:
        """What the frame holds (JSON), for a preview."""
        ...
