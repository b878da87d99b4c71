<?php

declare(strict_types=1);

namespace Shop;

use Proletarier\EventInterface;

/**
 * A listener aggregate: the customer's mails. In an application with Laminas or Zend, implement their ListenerAggregateInterface
 * (attach() as it is here, and detach()); without a framework attach() alone is what counts.
 */
final class OrderMails
{
    public function attach($events, $priority = 1): void
    {
        $events->attach('order.placed', [$this, 'confirm'], $priority);
        $events->attach('order.shipped', [$this, 'announce'], $priority);
    }

    public function confirm(EventInterface $event): void
    {
        $this->send($event, sprintf('Thank you for ordering %s', $event->getParam('article')));
    }

    public function announce(EventInterface $event): void
    {
        $this->send($event, 'Your parcel is on its way');
    }

    private function send(EventInterface $event, string $subject): void
    {
        printf("mail to %s: %s (process %d)\n", $event->getParam('customer'), $subject, getmypid());
    }
}
