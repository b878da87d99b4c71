<?php

declare(strict_types=1);

namespace Application;

use Laminas\EventManager\AbstractListenerAggregate;
use Laminas\EventManager\EventInterface;
use Laminas\EventManager\EventManagerInterface;

/**
 * A listener aggregate that gets the container, as AbstractHandler does, by having setServiceLocator().
 */
final class TeamNotification extends AbstractListenerAggregate
{
    private object $container;

    public function setServiceLocator(object $container): void
    {
        $this->container = $container;
    }

    public function attach(EventManagerInterface $events, $priority = 1): void
    {
        $this->listeners[] = $events->attach('account.created', [$this, 'notify'], $priority);
    }

    public function notify(EventInterface $event): void
    {
        $to = $this->container->get('config')['notifications']['to'];
        printf("mail to %s: account %d was created\n", $to, $event->getParam('account_id'));
    }
}
