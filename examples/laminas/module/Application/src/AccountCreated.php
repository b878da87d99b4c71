<?php

declare(strict_types=1);

namespace Application;

use Laminas\EventManager\EventInterface;
use Proletarier\Handler\AbstractHandler;

/**
 * A handler that takes what it needs from the service manager, named in the configuration by its class.
 */
final class AccountCreated extends AbstractHandler
{
    public function __invoke(EventInterface $event): void
    {
        $this->getServiceLocator()->get('Proletarier\Log')->info('account created', ['id' => $event->getParam('account_id')]);
    }
}
