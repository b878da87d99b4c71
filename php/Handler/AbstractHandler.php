<?php

declare(strict_types=1);

namespace Proletarier\Handler;

/**
 * A base for handlers that fetch what they need from the application's service manager. Add a method __invoke($event).
 *
 * Frameworks took their ServiceLocatorAwareInterface away; here the container is handed in wherever a handler is named in
 * `proletarier.listeners`, as a class or as a service. __invoke() is not declared, so that a handler may type its event as it likes:
 * Proletarier\EventInterface, Laminas' or Zend's.
 */
abstract class AbstractHandler
{
    /** @var object|null */
    protected $serviceLocator;

    /**
     * @param object $serviceLocator
     *
     * @return $this
     */
    public function setServiceLocator($serviceLocator)
    {
        $this->serviceLocator = $serviceLocator;

        return $this;
    }

    /**
     * @return object|null the application's service manager, or any container with get() and has()
     */
    public function getServiceLocator()
    {
        return $this->serviceLocator;
    }
}
